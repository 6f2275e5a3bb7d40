with

versions as (
    select * from {{ ref('int_membership_versions_dated') }}
),

loyalty_tiers as (
    select tier, tier_rank from {{ ref('loyalty_tiers') }}
),

compared_versions as (
    select
        *,
        lag(customer_id) over (partition by member_id order by version_number asc nulls last) as previous_customer_id,
        lag(tier) over (partition by member_id order by version_number asc nulls last) as previous_tier,
        lag(status) over (partition by member_id order by version_number asc nulls last) as previous_status,
        lag(enrolled_on) over (partition by member_id order by version_number asc nulls last) as previous_enrolled_on
    from versions
),

-- a version that repeats what held already belongs to its period; the first, compared with nothing, begins one
numbered_versions as (
    select
        *,
        sum(
            case
                when
                    customer_id = previous_customer_id
                    and tier = previous_tier
                    and status = previous_status
                    and enrolled_on = previous_enrolled_on then 0
                else 1
            end
        ) over (
            partition by member_id
            order by version_number asc nulls last
            rows between unbounded preceding and current row
        ) as period_number
    from compared_versions
),

periods as (
    select
        member_id,
        period_number,
        customer_id,
        tier,
        status,
        enrolled_on,
        count(*) as versions,
        min(valid_from) as valid_from,
        min(valid_from_on) as valid_from_on
    from numbered_versions
    group by member_id, period_number, customer_id, tier, status, enrolled_on
),

bounded_periods as (
    select
        *,
        lead(valid_from) over (partition by member_id order by period_number asc nulls last) as valid_to,
        lead(valid_from_on) over (partition by member_id order by period_number asc nulls last) as valid_to_on
    from periods
),

final as (
    select
        bounded_periods.member_id,
        cast(bounded_periods.period_number as integer) as period_number,
        bounded_periods.customer_id,
        bounded_periods.tier,
        loyalty_tiers.tier_rank,
        bounded_periods.status,
        bounded_periods.enrolled_on,
        bounded_periods.valid_from,
        bounded_periods.valid_to,
        bounded_periods.valid_from_on,
        bounded_periods.valid_to_on,
        bounded_periods.valid_to is null as is_current,
        bounded_periods.versions
    from bounded_periods
    -- a membership of another tier has been rejected
    inner join loyalty_tiers on bounded_periods.tier = loyalty_tiers.tier
)

{{ select_with_labels('final') }}
