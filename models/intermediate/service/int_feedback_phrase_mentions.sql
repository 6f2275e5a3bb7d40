with

comments as (
    select * from {{ ref('int_feedback_comments_listed') }}
),

phrases as (
    select * from {{ ref('int_feedback_phrase_patterns') }}
),

nested_phrases as (
    select * from {{ ref('int_feedback_phrase_containments') }}
),

matches as (
    select
        comments.source,
        comments.source_id,
        phrases.phrase,
        phrases.topic,
        phrases.sentiment,
        case
            when phrases.is_whole_words then {{ occurrences('comments.search_words', 'phrases.pattern') }}
            else {{ occurrences('comments.search_text', 'phrases.pattern') }}
        end as occurrences
    from comments
    -- every phrase is looked for in every comment
    inner join phrases
        on case
            when phrases.is_whole_words then contains(comments.search_words, phrases.pattern)
            else contains(comments.search_text, phrases.pattern)
        end
),

inside_longer_phrases as (
    select
        longer_matches.source,
        longer_matches.source_id,
        nested_phrases.phrase,
        sum(longer_matches.occurrences * nested_phrases.occurrences) as occurrences
    from matches as longer_matches
    inner join nested_phrases on longer_matches.phrase = nested_phrases.longer_phrase
    group by longer_matches.source, longer_matches.source_id, nested_phrases.phrase
),

final as (
    select
        matches.source,
        matches.source_id,
        matches.phrase,
        matches.topic,
        matches.sentiment
    from matches
    -- at most one row per comment and phrase
    left join inside_longer_phrases
        on matches.source = inside_longer_phrases.source
        and matches.source_id = inside_longer_phrases.source_id
        and matches.phrase = inside_longer_phrases.phrase
    where matches.occurrences > coalesce(inside_longer_phrases.occurrences, 0)
)

select * from final
