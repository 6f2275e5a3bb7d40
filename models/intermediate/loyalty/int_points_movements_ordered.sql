with

points_transactions as (
    select * from {{ ref('stg_points_transactions') }}
),

-- one row per member
current_versions as (
    select member_id, customer_id from {{ ref('int_membership_versions_dated') }}
    where valid_to is null
),

run_context as (
    select as_of_date, business_timezone from {{ ref('run_context') }}
),

known_movements as (
    select
        points_transactions.points_transaction_id,
        points_transactions.member_id,
        current_versions.customer_id,
        points_transactions.order_id,
        points_transactions.type,
        points_transactions.points,
        points_transactions.occurred_at,
        {{ business_day('points_transactions.occurred_at', 'run_context.business_timezone') }} as occurred_on,
        case
            when points_transactions.points > 0
                then {{ business_day('points_transactions.expires_at', 'run_context.business_timezone') }}
        end as expires_on
    from points_transactions
    cross join run_context
    left join current_versions on points_transactions.member_id = current_versions.member_id
    where {{ business_day('points_transactions.occurred_at', 'run_context.business_timezone') }} <= run_context.as_of_date
),

-- at one moment points leave before others come: in the other order what comes would hide an overdraft
ordered_movements as (
    select
        *,
        case when points < 0 then 0 else 1 end as direction_rank
    from known_movements
),

balanced_movements as (
    select
        *,
        row_number() over (
            partition by member_id
            order by
                occurred_at asc nulls last,
                direction_rank asc nulls last,
                points_transaction_id asc nulls last
        ) as movement_number,
        sum(points) over (
            partition by member_id
            order by
                occurred_at asc nulls last,
                direction_rank asc nulls last,
                points_transaction_id asc nulls last
            rows between unbounded preceding and current row
        ) as balance_after
    from ordered_movements
),

final as (
    select
        points_transaction_id,
        member_id,
        customer_id,
        order_id,
        type,
        points,
        occurred_at,
        occurred_on,
        expires_on,
        cast(movement_number as bigint) as movement_number,
        {{ total('balance_after') }} as balance_after,
        points < 0 and balance_after < 0 as is_overdrawn,
        {{ money('case when points < 0 and balance_after < 0 then least(-points, -balance_after) else 0 end') }} as overdrawn_points
    from balanced_movements
)

select * from final
