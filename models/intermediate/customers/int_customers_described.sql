with

customers as (
    select * from {{ ref('stg_customers') }}
),

orders as (
    select * from {{ ref('int_orders_validated') }}
),

consents as (
    select * from {{ ref('int_consents_resolved') }}
),

memberships as (
    select * from {{ ref('int_memberships_current') }}
),

erasure_requests as (
    select * from {{ ref('stg_erasure_requests') }}
),

age_bands as (
    select * from {{ ref('age_bands') }}
),

aliases as (
    select * from {{ ref('int_customer_aliases_listed') }}
),

run_context as (
    select as_of_date, business_timezone from {{ ref('run_context') }}
),

dated_customers as (
    select
        customers.*,
        coalesce(aliases.customer_id, customers.referred_by_customer_id) as referrer_customer_id,
        {{ business_day('customers.registered_at', 'run_context.business_timezone') }} as registered_on
    from customers
    cross join run_context
    left join aliases on customers.referred_by_customer_id = aliases.alias_id
),

-- who registers after the as-of date is not a registered customer yet: a guest with an order by then, else nobody
registrations as (
    select
        dated_customers.*,
        dated_customers.registered_on > run_context.as_of_date as is_later
    from dated_customers
    cross join run_context
),

first_orders as (
    select
        customer_id,
        min(ordered_on) as first_ordered_on
    from orders
    group by customer_id
),

contactable_channels as (
    select customer_id
    from consents
    where is_granted
    group by customer_id
),

erased_customers as (
    select coalesce(aliases.customer_id, erasure_requests.customer_id) as customer_id
    from erasure_requests
    cross join run_context
    left join aliases on erasure_requests.customer_id = aliases.alias_id
    where {{ business_day('erasure_requests.requested_at', 'run_context.business_timezone') }} <= run_context.as_of_date
    group by coalesce(aliases.customer_id, erasure_requests.customer_id)
),

-- a guest is in orders alone, a prospect in customers alone
every_customer as (
    select
        coalesce(registrations.customer_id, first_orders.customer_id) as customer_id,
        registrations.customer_id is null or coalesce(registrations.is_later, false) as is_guest,
        case when not registrations.is_later then registrations.registered_on end as registered_on,
        coalesce(registrations.is_later, false) as is_later,
        first_orders.first_ordered_on,
        registrations.acquisition_channel,
        registrations.country,
        registrations.region,
        registrations.city,
        coalesce(registrations.gender, 'unknown') as gender,
        registrations.birth_date,
        registrations.income_band,
        registrations.occupation,
        registrations.referrer_customer_id as referred_by_customer_id,
        coalesce(registrations.is_deleted, false) as is_deleted
    from registrations
    full outer join first_orders on registrations.customer_id = first_orders.customer_id
),

known_customers as (
    select
        every_customer.*,
        {{ age_on('every_customer.birth_date', 'run_context.as_of_date') }} as age
    from every_customer
    cross join run_context
    where not every_customer.is_later or every_customer.first_ordered_on is not null
),

final as (
    select
        known_customers.customer_id,
        known_customers.is_guest,
        known_customers.registered_on,
        -- from when the customer is in the books; null where that was always so
        case
            when known_customers.registered_on is null then known_customers.first_ordered_on
            when known_customers.first_ordered_on < known_customers.registered_on then known_customers.first_ordered_on
            else known_customers.registered_on
        end as known_since,
        known_customers.acquisition_channel,
        known_customers.country,
        known_customers.region,
        known_customers.city,
        known_customers.gender,
        age_bands.age_band,
        known_customers.income_band,
        known_customers.occupation,
        memberships.tier as loyalty_tier,
        known_customers.referred_by_customer_id,
        known_customers.is_deleted,
        contactable_channels.customer_id is not null
        and erased_customers.customer_id is null
        and not known_customers.is_deleted as is_contactable
    from known_customers
    left join age_bands
        on known_customers.age >= age_bands.from_age
        and known_customers.age < age_bands.below_age
    left join memberships on known_customers.customer_id = memberships.customer_id
    left join contactable_channels on known_customers.customer_id = contactable_channels.customer_id
    left join erased_customers on known_customers.customer_id = erased_customers.customer_id
)

select * from final
