with

survey_comments as (
    select response_id, comment from {{ ref('stg_survey_responses') }}
    where comment is not null
),

responses as (
    select response_id, responded_on, direction from {{ ref('int_survey_responses_resolved') }}
),

tickets as (
    select * from {{ ref('int_tickets_timed') }}
),

mentions as (
    select mention_id, posted_at, text from {{ ref('stg_social_mentions') }}
    where text is not null
),

run_context as (
    select as_of_date, business_timezone from {{ ref('run_context') }}
),

dated_mentions as (
    select
        mentions.mention_id,
        mentions.text,
        {{ business_day('mentions.posted_at', 'run_context.business_timezone') }} as posted_on,
        run_context.as_of_date
    from mentions
    cross join run_context
),

comments as (
    -- responses after the as-of date leave here
    select
        'survey' as source,
        responses.response_id as source_id,
        responses.responded_on as commented_on,
        responses.direction,
        false as is_complaint,
        survey_comments.comment as text
    from survey_comments
    inner join responses on survey_comments.response_id = responses.response_id
    union all
    -- a ticket has no text but its category
    select
        'ticket' as source,
        ticket_id as source_id,
        opened_on as commented_on,
        cast(null as integer) as direction,
        coalesce(is_complaint, false) as is_complaint,
        category as text
    from tickets
    where category is not null
    union all
    select
        'mention' as source,
        mention_id as source_id,
        posted_on as commented_on,
        cast(null as integer) as direction,
        false as is_complaint,
        text
    from dated_mentions
    where posted_on <= as_of_date
),

final as (
    select
        source,
        source_id,
        commented_on,
        direction,
        is_complaint,
        {{ text_to_search('text') }} as search_text,
        {{ words_to_search('text') }} as search_words
    from comments
)

select * from final
