with

tickets as (
    select * from {{ ref('int_tickets_timed') }}
),

customer_dimensions as (
    select * from {{ ref('int_customer_dimensions_listed') }}
),

dimensions as (
    select * from {{ ref('dimensions') }}
),

-- from the seed, since a ticket of nobody known has no customer to take the names from
customer_dimension_names as (
    select dimension from dimensions
    where
        applies_to_customers
        and applies_to_tickets
        and dimension != 'all'
),

-- the dimensions that tickets have beside those of customers, and from which column each comes
ticket_values as (
    {{ values_by_dimension('tickets', 'ticket_id', {
        'all': "'all'",
        'category': 'category',
        'priority': 'priority',
        'channel': 'channel',
    }) }}
),

final as (
    select
        ticket_values.ticket_id,
        ticket_values.dimension,
        ticket_values.dimension_value
    from ticket_values
    left join dimensions on ticket_values.dimension = dimensions.dimension
    -- a dimension that the seed does not list stays, so that the test of known dimensions names it
    where coalesce(dimensions.applies_to_tickets, true)
    union all
    select
        tickets.ticket_id,
        customer_dimension_names.dimension,
        coalesce(customer_dimensions.dimension_value, 'unknown') as dimension_value
    from tickets
    cross join customer_dimension_names
    -- a customer has one row per dimension: one per ticket and dimension remains
    left join customer_dimensions
        on tickets.customer_id = customer_dimensions.customer_id
        and customer_dimension_names.dimension = customer_dimensions.dimension
)

select * from final
