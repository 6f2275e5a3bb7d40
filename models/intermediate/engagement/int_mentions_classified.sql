with

mentions as (
    select mention_id, platform, author_handle, customer_id, posted_at, like_count from {{ ref('stg_social_mentions') }}
),

phrases_found as (
    select * from {{ ref('int_feedback_phrase_mentions') }}
    where source = 'mention'
),

run_context as (
    select as_of_date, business_timezone from {{ ref('run_context') }}
),

dated_mentions as (
    select
        mentions.*,
        {{ business_day('mentions.posted_at', 'run_context.business_timezone') }} as mentioned_on,
        run_context.as_of_date
    from mentions
    cross join run_context
),

sentiments as (
    select
        source_id as mention_id,
        count(*) filter (where sentiment = 'positive') > 0 as is_positive,
        count(*) filter (where sentiment = 'negative') > 0 as is_negative
    from phrases_found
    group by source_id
),

final as (
    select
        dated_mentions.mention_id,
        dated_mentions.platform,
        dated_mentions.mentioned_on,
        dated_mentions.like_count,
        dated_mentions.customer_id is not null as is_by_customer,
        -- the same name on another platform is somebody else
        dated_mentions.author_handle is not null
        and row_number() over (
            partition by dated_mentions.mentioned_on, dated_mentions.platform, dated_mentions.author_handle
            order by dated_mentions.mention_id asc nulls last
        ) = 1 as is_first_of_author,
        coalesce(sentiments.is_positive and not sentiments.is_negative, false) as is_positive,
        coalesce(sentiments.is_negative and not sentiments.is_positive, false) as is_negative
    from dated_mentions
    left join sentiments on dated_mentions.mention_id = sentiments.mention_id
    where dated_mentions.mentioned_on <= dated_mentions.as_of_date
)

select * from final
