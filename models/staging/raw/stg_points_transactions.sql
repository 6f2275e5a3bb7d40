with

checked_rows as (
    select * from {{ ref('base_points_transactions') }}
),

final as (
    select
        points_transaction_id,
        member_id,
        type,
        points,
        occurred_at,
        expires_at,
        order_id
    from checked_rows
    where row_status = 'accepted'
)

select * from final
