with

mentions as (
    select * from {{ ref('int_mentions_classified') }}
),

platform_mentions as (
    select *, platform as counted_platform from mentions
    union all
    select *, 'all' as counted_platform from mentions
),

final as (
    select
        mentioned_on,
        counted_platform as platform,
        count(*) as mentions,
        cast(coalesce(sum(like_count), 0) as bigint) as likes,
        count(*) filter (where is_by_customer) as mentions_by_customers,
        count(*) filter (where is_first_of_author) as authors,
        count(*) filter (where is_positive) as positive_mentions,
        count(*) filter (where is_negative) as negative_mentions
    from platform_mentions
    group by mentioned_on, counted_platform
)

{{ select_with_labels('final') }}
