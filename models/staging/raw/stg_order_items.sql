with

checked_rows as (
    select * from {{ ref('base_order_items') }}
),

final as (
    select
        order_id,
        line_number,
        product_id,
        quantity,
        line_amount,
        discount_amount,
        unit_cost,
        updated_at
    from checked_rows
    where row_status = 'accepted'
)

select * from final
