with

customers as (
    select * from {{ ref('int_customers_described') }}
),

first_purchases as (
    select * from {{ ref('int_first_purchases_described') }}
),

dimensions as (
    select * from {{ ref('dimensions') }}
),

customers_with_first_purchases as (
    select
        customers.*,
        first_purchases.first_channel,
        first_purchases.first_store_id,
        first_purchases.first_category
    from customers
    -- one row per customer on both sides
    left join first_purchases on customers.customer_id = first_purchases.customer_id
),

-- the one place that says from which column a dimension of customers comes
customer_values as (
    {{ values_by_dimension('customers_with_first_purchases', 'customer_id', {
        'all': "'all'",
        'country': 'country',
        'region': 'region',
        'acquisition_channel': 'acquisition_channel',
        'gender': 'gender',
        'age_band': 'age_band',
        'income_band': 'income_band',
        'loyalty_tier': 'loyalty_tier',
        'first_channel': 'first_channel',
        'first_store': 'first_store_id',
        'first_category': 'first_category',
    }) }}
),

final as (
    select
        customer_values.customer_id,
        customer_values.dimension,
        customer_values.dimension_value
    from customer_values
    left join dimensions on customer_values.dimension = dimensions.dimension
    -- a dimension that the seed does not list stays, so that the test of known dimensions names it
    where coalesce(dimensions.applies_to_customers, true)
)

select * from final
