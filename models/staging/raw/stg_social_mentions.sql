with

checked_rows as (
    select * from {{ ref('base_social_mentions') }}
),

final as (
    select
        mention_id,
        platform,
        author_handle,
        customer_id,
        posted_at,
        text,
        like_count
    from checked_rows
    where row_status = 'accepted'
)

select * from final
