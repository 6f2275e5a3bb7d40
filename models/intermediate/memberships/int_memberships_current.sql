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
        memberships.enrolled_at,
        memberships.tier,
        memberships.status,
        memberships.updated_at
    from memberships
    cross join run_context
    left join aliases on memberships.customer_id = aliases.alias_id
    where
        {{ business_day('memberships.updated_at', 'run_context.business_timezone') }} <= run_context.as_of_date
        and {{ business_day('memberships.enrolled_at', 'run_context.business_timezone') }} <= run_context.as_of_date
),

latest_versions as (
    select
        *,
        row_number() over (partition by member_id order by updated_at desc nulls last) as version_rank
    from known_versions
),

open_memberships as (
    select
        *,
        row_number() over (
            partition by customer_id
            order by updated_at desc nulls last, member_id asc nulls last
        ) as membership_rank
    from latest_versions
    where version_rank = 1 and coalesce(status, 'active') = 'active'
),

-- a customer enrolled twice counts with the membership that changed last
final as (
    select
        customer_id,
        member_id,
        tier,
        enrolled_at
    from open_memberships
    where membership_rank = 1
)

select * from final
