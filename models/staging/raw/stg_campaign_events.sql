with

checked_rows as (
    select * from {{ ref('base_campaign_events') }}
),

final as (
    select
        campaign_event_id,
        campaign_id,
        customer_id,
        event_type,
        occurred_at
    from checked_rows
    where row_status = 'accepted'
)

select * from final
