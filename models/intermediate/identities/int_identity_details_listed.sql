with

customers as (
    select * from {{ ref('stg_customers') }}
),

identities as (
    select * from {{ ref('stg_customer_identities') }}
),

web_events as (
    select * from {{ ref('stg_web_events') }}
),

placeholders as (
    select * from {{ ref('identity_placeholders') }}
),

run_context as (
    select as_of_date, business_timezone from {{ ref('run_context') }}
),

-- who is not dated has always been there
master_records as (
    select
        customer_id as id,
        coalesce(registered_at, cast('1900-01-01 00:00:00' as timestamp)) as claimed_at,
        email,
        phone
    from customers
),

system_records as (
    select
        source_system || ':' || source_id as id,
        recorded_at as claimed_at,
        customer_id,
        email,
        phone,
        anonymous_id
    from identities
),

logins as (
    select
        customer_id as id,
        anonymous_id,
        min(occurred_at) as claimed_at
    from web_events
    where customer_id is not null and anonymous_id is not null
    group by customer_id, anonymous_id
),

claims as (
    select id, claimed_at, 'customer_id' as link_kind, customer_id as link_value from system_records
    union all
    -- a customer is who another system means by that id
    select customer_id as id, min(claimed_at) as claimed_at, 'customer_id' as link_kind, customer_id as link_value from system_records
    group by customer_id
    union all
    select id, claimed_at, 'email' as link_kind, {{ normalised_email('email') }} as link_value from system_records
    union all
    select id, claimed_at, 'email' as link_kind, {{ normalised_email('email') }} as link_value from master_records
    union all
    select id, claimed_at, 'phone' as link_kind, {{ normalised_phone('phone') }} as link_value from system_records
    union all
    select id, claimed_at, 'phone' as link_kind, {{ normalised_phone('phone') }} as link_value from master_records
    union all
    select id, claimed_at, 'anonymous_id' as link_kind, anonymous_id as link_value from system_records
    union all
    select id, claimed_at, 'anonymous_id' as link_kind, anonymous_id as link_value from logins
),

first_claims as (
    select
        claims.id,
        claims.link_kind,
        claims.link_value,
        min(claims.claimed_at) as claimed_at
    from claims
    cross join run_context
    left join placeholders
        on claims.link_kind = placeholders.link_kind
        and claims.link_value = placeholders.link_value
    where
        claims.link_value is not null
        and placeholders.link_value is null
        and {{ business_day('claims.claimed_at', 'run_context.business_timezone') }} <= run_context.as_of_date
    group by claims.id, claims.link_kind, claims.link_value
),

system_ids as (
    select id from system_records
    group by id
),

final as (
    select
        first_claims.id,
        -- whoever is no id of another system is a customer, registered or not
        customers.customer_id is not null or system_ids.id is null as is_customer,
        first_claims.link_kind,
        -- the detail itself goes no further: who shares it is all that is needed
        cast(dense_rank() over (
            order by first_claims.link_kind asc nulls last, first_claims.link_value asc nulls last
        ) as bigint) as link_id,
        first_claims.claimed_at
    from first_claims
    left join customers on first_claims.id = customers.customer_id
    left join system_ids on first_claims.id = system_ids.id
)

select * from final
