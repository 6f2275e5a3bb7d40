with

order_lines as (
    select * from {{ ref('int_order_lines_valued') }}
),

final as (
    select
        order_id,
        line_number,
        product_id,
        customer_id,
        ordered_on,
        is_valid,
        quantity,
        line_amount,
        discount_amount,
        unit_cost
    from order_lines
)

select * from final
