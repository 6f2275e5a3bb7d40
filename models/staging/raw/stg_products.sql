with

checked_rows as (
    select * from {{ ref('base_products') }}
),

final as (
    select
        product_id,
        product_name,
        category,
        subcategory,
        brand,
        unit_cost,
        updated_at
    from checked_rows
    where row_status = 'accepted'
)

select * from final
