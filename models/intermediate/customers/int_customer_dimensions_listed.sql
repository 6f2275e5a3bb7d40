with

customers as (
    select * from {{ ref('int_customers_described') }}
),

final as (
    select
        customer_id,
        'all' as dimension,
        'all' as dimension_value
    from customers
    {% for dimension in ['region', 'acquisition_channel', 'gender', 'age_band', 'income_band', 'loyalty_tier'] %}
    union all

    select
        customer_id,
        '{{ dimension }}' as dimension,
        coalesce({{ dimension }}, 'unknown') as dimension_value
    from customers
    {% endfor %}
)

select * from final
