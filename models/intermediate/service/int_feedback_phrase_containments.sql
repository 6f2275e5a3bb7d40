with

phrases as (
    select * from {{ ref('int_feedback_phrase_patterns') }}
),

-- which phrase stands in which other one
contained_phrases as (
    select
        inner_phrases.phrase,
        outer_phrases.phrase as longer_phrase,
        case
            when inner_phrases.is_whole_words then {{ occurrences('outer_phrases.search_words', 'inner_phrases.pattern') }}
            else {{ occurrences('outer_phrases.search_text', 'inner_phrases.pattern') }}
        end as occurrences
    from phrases as inner_phrases
    inner join phrases as outer_phrases
        on inner_phrases.phrase != outer_phrases.phrase
        and inner_phrases.search_text != outer_phrases.search_text
        and case
            when inner_phrases.is_whole_words then contains(outer_phrases.search_words, inner_phrases.pattern)
            else contains(outer_phrases.search_text, inner_phrases.pattern)
        end
),

-- of three that contain each other, the longest already counts in the middle one
final as (
    select
        contained_phrases.phrase,
        contained_phrases.longer_phrase,
        contained_phrases.occurrences
    from contained_phrases
    left join contained_phrases as steps on contained_phrases.phrase = steps.phrase
    left join contained_phrases as next_steps
        on steps.longer_phrase = next_steps.phrase
        and contained_phrases.longer_phrase = next_steps.longer_phrase
    group by contained_phrases.phrase, contained_phrases.longer_phrase, contained_phrases.occurrences
    having count(next_steps.phrase) = 0
)

select * from final
