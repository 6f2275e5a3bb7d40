with

memberships as (
    select * from {{ ref('stg_memberships') }}
),

aliases as (
    select * from {{ ref('int_customer_aliases_listed') }}
),

run_context as (
    select as_of_date, business_timezone from {{ ref('run_context') }}
),

known_versions as (
    select
        memberships.member_id,
        coalesce(aliases.customer_id, memberships.customer_id) as customer_id,
        memberships.tier,
        coalesce(memberships.status, 'active') as status,
        {{ business_day('memberships.enrolled_at', 'run_context.business_timezone') }} as enrolled_on,
        memberships.updated_at,
        -- a version may be written ahead of the enrolment that it is about
        greatest(memberships.updated_at, memberships.enrolled_at) as valid_from,
        run_context.business_timezone
    from memberships
    cross join run_context
    left join aliases on memberships.customer_id = aliases.alias_id
    where
        {{ business_day('memberships.updated_at', 'run_context.business_timezone') }} <= run_context.as_of_date
        and {{ business_day('memberships.enrolled_at', 'run_context.business_timezone') }} <= run_context.as_of_date
),

superseded_versions as (
    select
        *,
        min(valid_from) over (
            partition by member_id
            order by updated_at asc nulls last
            rows between 1 following and unbounded following
        ) as valid_to
    from known_versions
),

-- a version that a later one overtakes before it takes effect never holds
final as (
    select
        member_id,
        cast(row_number() over (partition by member_id order by updated_at asc nulls last) as integer) as version_number,
        customer_id,
        tier,
        status,
        enrolled_on,
        updated_at,
        valid_from,
        valid_to,
        {{ business_day('valid_from', 'business_timezone') }} as valid_from_on,
        {{ business_day('valid_to', 'business_timezone') }} as valid_to_on
    from superseded_versions
    where valid_to is null or valid_to > valid_from
)

select * from final
