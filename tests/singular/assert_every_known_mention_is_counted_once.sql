with known as (
    select count(*) as mentions, coalesce(sum(mentions.like_count), 0) as likes
    from {{ ref('stg_social_mentions') }} as mentions
    cross join {{ ref('run_context') }} as run_context
    where {{ business_day('mentions.posted_at', 'run_context.business_timezone') }} <= run_context.as_of_date
),

counted as (
    select 'all platforms' as counted_as, coalesce(sum(mentions), 0) as mentions, coalesce(sum(likes), 0) as likes
    from {{ ref('social_mentions_daily') }}
    where platform = 'all'
    union all
    select 'each platform' as counted_as, coalesce(sum(mentions), 0) as mentions, coalesce(sum(likes), 0) as likes
    from {{ ref('social_mentions_daily') }}
    where platform != 'all'
),

-- authors, customers and sentiment of the platforms add up too
daily as (
    select
        mentioned_on,
        sum(case when platform = 'all' then authors else -authors end) as authors,
        sum(case when platform = 'all' then mentions_by_customers else -mentions_by_customers end) as mentions_by_customers,
        sum(case when platform = 'all' then positive_mentions else -positive_mentions end) as positive_mentions,
        sum(case when platform = 'all' then negative_mentions else -negative_mentions end) as negative_mentions
    from {{ ref('social_mentions_daily') }}
    group by mentioned_on
)

select counted.counted_as, known.mentions as known_mentions, counted.mentions, counted.likes
from known
cross join counted
where counted.mentions != known.mentions or counted.likes != known.likes
union all
select cast(mentioned_on as {{ dbt.type_string() }}) as counted_as, authors, mentions_by_customers, positive_mentions
from daily
where authors != 0 or mentions_by_customers != 0 or positive_mentions != 0 or negative_mentions != 0
