{{ check_vars() }}
with

run_parameters as (
    select * from {{ source('operations', 'run_parameters') }}
),

company_settings as (
    select * from {{ source('operations', 'company_settings') }}
),

-- one row, also of a company that sets nothing
settings as (
    select
        {% for name in var('settings') %}
        {{ setting(name) }} as {{ name }}{{ ',' if not loop.last }}
        {% endfor %}
    from company_settings
),

final as (
    select
        run_parameters.run_id,
        run_parameters.started_at,
        run_parameters.requested_as_of_date,
        run_parameters.yesterday,
        run_parameters.company_key,
        {% for name in var('settings') %}
        settings.{{ name }}{{ ',' if not loop.last }}
        {% endfor %}
    from run_parameters
    cross join settings
)

select * from final
