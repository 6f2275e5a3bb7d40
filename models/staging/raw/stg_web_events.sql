with

checked_rows as (
    select * from {{ ref('base_web_events') }}
),

final as (
    select
        event_id,
        session_id,
        anonymous_id,
        customer_id,
        occurred_at,
        event_name,
        page,
        product_id,
        order_id,
        engagement_seconds,
        traffic_source
    from checked_rows
    where row_status = 'accepted'
)

select * from final
