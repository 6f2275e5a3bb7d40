with last_movements as (
    select
        member_id,
        balance_after,
        row_number() over (partition by member_id order by movement_number desc nulls last) as place,
        count(*) over (partition by member_id) as movements,
        max(movement_number) over (partition by member_id) as last_number
    from {{ ref('points_movements') }}
)

select
    balances.member_id,
    balances.points_outstanding + balances.points_past_expiry as points_left,
    last_movements.balance_after
from {{ ref('points_balances') }} as balances
left join last_movements on balances.member_id = last_movements.member_id and last_movements.place = 1
where
    balances.points_outstanding + balances.points_past_expiry != coalesce(last_movements.balance_after, 0)
    or balances.movements != coalesce(last_movements.last_number, 0)
    or balances.movements != coalesce(last_movements.movements, 0)
