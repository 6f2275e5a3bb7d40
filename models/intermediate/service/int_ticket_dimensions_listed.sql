with

tickets as (
    select * from {{ ref('int_tickets_timed') }}
),

customer_dimensions as (
    select * from {{ ref('int_customer_dimensions_listed') }}
),

-- named here, since a company without customers has no rows to take the names from
dimensions as (
    {% for dimension in ['all', 'category', 'priority', 'channel', 'region', 'acquisition_channel', 'loyalty_tier'] -%}
    select '{{ dimension }}' as dimension
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

final as (
    select
        tickets.ticket_id,
        dimensions.dimension,
        coalesce(
            case dimensions.dimension
                when 'all' then 'all'
                when 'category' then tickets.category
                when 'priority' then tickets.priority
                when 'channel' then tickets.channel
                else customer_dimensions.dimension_value
            end,
            'unknown'
        ) as dimension_value
    from tickets
    cross join dimensions
    -- a customer has one row per dimension: one per ticket and dimension remains
    left join customer_dimensions
        on tickets.customer_id = customer_dimensions.customer_id
        and dimensions.dimension = customer_dimensions.dimension
)

select * from final
