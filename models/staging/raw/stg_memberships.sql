with

checked_rows as (
    select * from {{ ref('base_memberships') }}
),

final as (
    select
        member_id,
        customer_id,
        enrolled_at,
        tier,
        status,
        updated_at
    from checked_rows
    where row_status = 'accepted'
)

select * from final
