with

followed as (
    select * from {{ ref('int_points_lots_followed') }}
),

periods as (
    select period_number from {{ ref('int_points_periods_listed') }}
),

states as (
    select quiet_band, periods_left from followed
    group by quiet_band, periods_left
),

-- the past: where points in a state went, and after how many periods
exits as (
    select
        quiet_band,
        periods_left,
        periods_followed,
        sum(points) as points,
        sum(case when outcome = 'redeemed' then points else 0 end) as redeemed_points,
        sum(case when outcome = 'taken' then points else 0 end) as taken_points
    from followed
    where periods_back > 0
    group by quiet_band, periods_left, periods_followed
),

state_periods as (
    select
        states.quiet_band,
        states.periods_left,
        periods.period_number as period,
        states.periods_left - periods.period_number as periods_then_left,
        coalesce(exits.points, 0) as points,
        coalesce(exits.redeemed_points, 0) as redeemed_points,
        coalesce(exits.taken_points, 0) as taken_points
    from states
    inner join periods on periods.period_number between 1 and states.periods_left
    left join exits
        on states.quiet_band = exits.quiet_band
        and states.periods_left = exits.periods_left
        and periods.period_number = exits.periods_followed
),

-- points that are still open were there in every period through which they have been followed, and say nothing of those to come
at_risk as (
    select
        *,
        sum(points) over (
            partition by quiet_band, periods_left
            order by period desc nulls last
            rows between unbounded preceding and current row
        ) as points_at_risk
    from state_periods
),

-- what stands in where a state has not been followed so far: all points that had as long left
pooled as (
    select
        periods_then_left,
        sum(points_at_risk) as points_at_risk,
        sum(redeemed_points) as redeemed_points,
        sum(taken_points) as taken_points
    from at_risk
    group by periods_then_left
),

shares as (
    select
        at_risk.quiet_band,
        at_risk.periods_left,
        at_risk.period,
        coalesce(
            {{ ratio('at_risk.redeemed_points', 'at_risk.points_at_risk') }},
            {{ ratio('pooled.redeemed_points', 'pooled.points_at_risk') }}
        ) as redeemed_share,
        coalesce(
            {{ ratio('at_risk.taken_points', 'at_risk.points_at_risk') }},
            {{ ratio('pooled.taken_points', 'pooled.points_at_risk') }}
        ) as taken_share
    from at_risk
    inner join pooled on at_risk.periods_then_left = pooled.periods_then_left
),

-- the product limit; the logarithm of a period that leaves nothing is one of next to nothing
survived as (
    select
        *,
        exp(
            coalesce(
                sum(ln(greatest(1e0 - redeemed_share - taken_share, 1e-300))) over (
                    partition by quiet_band, periods_left
                    order by period asc nulls last
                    rows between unbounded preceding and 1 preceding
                ),
                0e0
            )
        ) as share_still_there
    from shares
),

rates as (
    select
        quiet_band,
        periods_left,
        case
            when count(redeemed_share) = count(*) then least({{ sum_rounded('share_still_there * redeemed_share') }}, 1e0)
        end as redemption_rate
    from survived
    group by quiet_band, periods_left
),

members as (
    select
        quiet_band,
        periods_left,
        member_id,
        cast(sum(points) as double) as points
    from followed
    where periods_back > 0
    group by quiet_band, periods_left, member_id
),

counted_members as (
    select
        quiet_band,
        periods_left,
        {{ effective_size(sum_in_order('points'), sum_in_order('points * points')) }} as effective_members
    from members
    group by quiet_band, periods_left
),

final as (
    select
        rates.quiet_band,
        rates.periods_left,
        rates.redemption_rate,
        -- a state without a past of its own is known no better than from one member
        coalesce(counted_members.effective_members, 1e0) as effective_members
    from rates
    left join counted_members
        on rates.quiet_band = counted_members.quiet_band
        and rates.periods_left = counted_members.periods_left
)

select * from final
