with

checked_rows as (
    select * from {{ ref('base_erasure_requests') }}
),

final as (
    select
        customer_id,
        requested_at
    from checked_rows
    where row_status = 'accepted'
)

select * from final
