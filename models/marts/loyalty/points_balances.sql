with

current_versions as (
    select member_id, customer_id from {{ ref('int_membership_versions_dated') }}
    where valid_to is null
),

movements as (
    select * from {{ ref('int_points_movements_ordered') }}
),

stretches as (
    select * from {{ ref('int_points_lots_consumed') }}
),

run_context as (
    select as_of_date, point_value from {{ ref('run_context') }}
),

moved as (
    select
        member_id,
        max(customer_id) as customer_id,
        count(*) as movements,
        max(occurred_on) as last_movement_on,
        sum(case when type = 'earn' then points else 0 end) as points_issued,
        sum(case when type = 'redeem' then -points else 0 end) as points_redeemed,
        sum(case when type = 'expire' then -points else 0 end) as points_expired,
        sum(case when type = 'adjust' then points else 0 end) as points_adjusted,
        sum(points) as points_left
    from movements
    group by member_id
),

-- what is left of each member's lots, by when it expires
left_over as (
    select
        stretches.member_id,
        sum(case when stretches.expires_on <= run_context.as_of_date then stretches.points else 0 end) as points_past_expiry,
        sum(
            case
                when
                    stretches.expires_on > run_context.as_of_date
                    and stretches.expires_on <= {{ add_days('run_context.as_of_date', 30) }} then stretches.points
                else 0
            end
        ) as points_expiring_30d,
        sum(
            case
                when
                    stretches.expires_on > run_context.as_of_date
                    and stretches.expires_on <= {{ add_days('run_context.as_of_date', 90) }} then stretches.points
                else 0
            end
        ) as points_expiring_90d,
        sum(
            case when stretches.expires_on > {{ add_days('run_context.as_of_date', 90) }} then stretches.points else 0 end
        ) as points_expiring_later,
        sum(case when stretches.expires_on is null then stretches.points else 0 end) as points_without_expiry
    from stretches
    cross join run_context
    where stretches.use_id is null
    group by stretches.member_id
),

-- a member may have no movement yet, and points be moved by a member of whom nothing is known by the as-of date
every_member as (
    select
        coalesce(current_versions.member_id, moved.member_id) as member_id,
        coalesce(current_versions.customer_id, moved.customer_id) as customer_id,
        moved.movements,
        moved.last_movement_on,
        moved.points_issued,
        moved.points_redeemed,
        moved.points_expired,
        moved.points_adjusted,
        coalesce(moved.points_left, 0) as points_left,
        left_over.points_past_expiry,
        left_over.points_expiring_30d,
        left_over.points_expiring_90d,
        left_over.points_expiring_later,
        left_over.points_without_expiry,
        -- nobody can redeem what is past its day
        {{ total('coalesce(moved.points_left, 0) - coalesce(left_over.points_past_expiry, 0)') }} as points_outstanding
    from current_versions
    full outer join moved on current_versions.member_id = moved.member_id
    left join left_over on moved.member_id = left_over.member_id
),

final as (
    select
        every_member.member_id,
        every_member.customer_id,
        coalesce(every_member.movements, 0) as movements,
        every_member.last_movement_on,
        {{ total('coalesce(every_member.points_issued, 0)') }} as points_issued,
        {{ total('coalesce(every_member.points_redeemed, 0)') }} as points_redeemed,
        {{ total('coalesce(every_member.points_expired, 0)') }} as points_expired,
        {{ total('coalesce(every_member.points_adjusted, 0)') }} as points_adjusted,
        every_member.points_outstanding,
        {{ total('greatest(-every_member.points_left, 0)') }} as overdrawn_points,
        {% for column in [
            'points_past_expiry', 'points_expiring_30d', 'points_expiring_90d', 'points_expiring_later', 'points_without_expiry'
        ] -%}
        {{ total('coalesce(every_member.' ~ column ~ ', 0)') }} as {{ column }},
        {% endfor -%}
        {{ product('every_member.points_outstanding', 'run_context.point_value') }} as liability_amount
    from every_member
    cross join run_context
)

select * from final
