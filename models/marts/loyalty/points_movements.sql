with

movements as (
    select * from {{ ref('int_points_movements_ordered') }}
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
        movement_number,
        balance_after,
        is_overdrawn,
        overdrawn_points
    from movements
)

{{ select_with_labels('final') }}
