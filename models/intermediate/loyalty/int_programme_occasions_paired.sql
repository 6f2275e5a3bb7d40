with

occasions as (
    select * from {{ ref('int_programme_occasions_listed') }}
),

run_context as (
    select as_of_date from {{ ref('run_context') }}
),

members as (
    select
        *,
        row_number() over (partition by match_cell order by purchase_on asc nulls last, customer_id asc nulls last) as place
    from occasions
    where is_member
),

cells as (
    select
        match_cell,
        count(*) as members_of_cell
    from members
    group by match_cell
),

placed_controls as (
    select
        occasions.*,
        row_number() over (
            partition by occasions.match_cell order by occasions.purchase_on asc nulls last, occasions.customer_id asc nulls last
        ) as place,
        cells.members_of_cell
    from occasions
    inner join cells on occasions.match_cell = cells.match_cell
    where not occasions.is_member
),

-- who enrols some days after a purchase has not bought on those days. A control must not have either, for the lag of one of the
-- members of the cell, each in turn
lagged_controls as (
    select
        controls.match_cell,
        controls.customer_id,
        controls.is_member,
        controls.purchase_on,
        controls.mean_net_revenue,
        members.lag_days
    from placed_controls as controls
    inner join members
        on controls.match_cell = members.match_cell
        and mod(controls.place - 1, controls.members_of_cell) + 1 = members.place
    cross join run_context
    where
        {{ add_days('controls.purchase_on', 'members.lag_days') }} <= run_context.as_of_date
        and (
            controls.next_purchase_on is null
            or {{ day_diff('controls.purchase_on', 'controls.next_purchase_on') }} > members.lag_days
        )
),

candidates as (
    select match_cell, lag_days, is_member, customer_id, purchase_on, mean_net_revenue from members
    union all
    select match_cell, lag_days, is_member, customer_id, purchase_on, mean_net_revenue from lagged_controls
),

-- in the order of their days a control opens a bracket and a member closes one, or the other way round where there is none to
-- close; the two of a pair of brackets are neighbours, as near as they can all be at once
walked_candidates as (
    select
        *,
        sum(case when is_member then -1 else 1 end) over (
            partition by match_cell, lag_days
            order by
                purchase_on asc nulls last,
                mean_net_revenue asc nulls last,
                customer_id asc nulls last
            rows between unbounded preceding and current row
        ) as level_after
    from candidates
),

levelled_candidates as (
    select
        *,
        case when is_member then level_after + 1 else level_after end as bracket_level
    from walked_candidates
),

-- on one level members and controls take turns
counted_candidates as (
    select
        *,
        row_number() over (
            partition by match_cell, lag_days, bracket_level
            order by
                purchase_on asc nulls last,
                mean_net_revenue asc nulls last,
                customer_id asc nulls last
        ) as turn
    from levelled_candidates
),

pairs as (
    select
        match_cell,
        lag_days,
        max(case when is_member then customer_id end) as member_customer_id,
        max(case when is_member then purchase_on end) as member_purchase_on,
        max(case when not is_member then customer_id end) as control_customer_id,
        max(case when not is_member then purchase_on end) as control_purchase_on
    from counted_candidates
    group by match_cell, lag_days, bracket_level, floor((turn + 1) / 2)
    having count(*) = 2
),

final as (
    select
        member_customer_id,
        control_customer_id,
        match_cell,
        lag_days,
        {{ add_days('member_purchase_on', 'lag_days') }} as member_enrolled_on,
        {{ add_days('control_purchase_on', 'lag_days') }} as control_enrolled_on
    from pairs
)

select * from final
