{%- set marts = {
    ref('customer_clv'): ['expected_purchases', 'predicted_clv'],
    ref('customer_churn_risk'): ['churn_probability'],
} -%}
{%- set columns = [] -%}
{%- if execute -%}
    {%- for mart, names in marts.items() -%}
        {%- for column in adapter.get_columns_in_relation(mart) -%}
            {%- set name, _, ending = column.name.rpartition('_') -%}
            {%- if name in names -%}
                {%- do columns.append({'name': name, 'horizon_days': ending | replace('d', '')}) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endfor -%}
{%- endif -%}

with columns_by_horizon as (
    {% for column in columns -%}
    select '{{ column.name }}' as column_name, {{ column.horizon_days }} as horizon_days
    {% if not loop.last %}union all{% endif %}
    {% else -%}
    select cast(null as {{ dbt.type_string() }}) as column_name, cast(null as integer) as horizon_days
    {% endfor %}
),

expected_columns as (
    select 'expected_purchases' as column_name, horizon_days from {{ ref('prediction_horizons') }}
    union all
    select 'predicted_clv' as column_name, horizon_days from {{ ref('prediction_horizons') }}
    union all
    select 'churn_probability' as column_name, horizon_days from {{ ref('prediction_horizons') }}
    where is_for_churn
)

select
    coalesce(expected_columns.column_name, columns_by_horizon.column_name) as column_name,
    expected_columns.horizon_days as horizon_of_the_seed,
    columns_by_horizon.horizon_days as horizon_of_the_mart
from expected_columns
full outer join columns_by_horizon
    on expected_columns.column_name = columns_by_horizon.column_name
    and expected_columns.horizon_days = columns_by_horizon.horizon_days
where expected_columns.horizon_days is null or columns_by_horizon.horizon_days is null
