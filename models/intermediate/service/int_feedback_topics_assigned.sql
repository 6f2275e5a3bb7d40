with

comments as (
    select source, source_id, commented_on, direction, is_complaint from {{ ref('int_feedback_comments_listed') }}
),

phrases_found as (
    select * from {{ ref('int_feedback_phrase_mentions') }}
),

topics_found as (
    select
        source,
        source_id,
        topic,
        count(*) filter (where sentiment = 'positive') > 0 as is_positive,
        count(*) filter (where sentiment = 'negative') > 0 as is_negative
    from phrases_found
    group by source, source_id, topic
),

final as (
    select
        comments.source,
        comments.source_id,
        comments.commented_on,
        coalesce(topics_found.topic, 'unmatched') as topic,
        comments.direction,
        coalesce(topics_found.is_positive, false) as is_positive,
        -- a ticket has no words to complain with
        coalesce(topics_found.is_negative, false) or comments.is_complaint as is_negative
    from comments
    -- one row per topic, and one where there is none
    left join topics_found
        on comments.source = topics_found.source
        and comments.source_id = topics_found.source_id
)

select * from final
