with

checked_rows as (
    select * from {{ ref('base_campaign_members') }}
),

final as (
    select
        campaign_id,
        customer_id,
        arm,
        assigned_at
    from checked_rows
    where row_status = 'accepted'
)

select * from final
