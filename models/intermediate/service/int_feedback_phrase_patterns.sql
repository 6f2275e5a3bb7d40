with

phrases as (
    select * from {{ ref('feedback_phrases') }}
),

searchable_phrases as (
    select
        phrase,
        topic,
        sentiment,
        trim({{ text_to_search('phrase') }}) as search_text,
        {{ words_to_search('phrase') }} as search_words
    from phrases
),

final as (
    select
        phrase,
        topic,
        sentiment,
        -- nothing but words of spaced scripts
        replace(trim(search_words), '  ', ' ') = search_text as is_whole_words,
        case
            when replace(trim(search_words), '  ', ' ') = search_text then search_words
            else search_text
        end as pattern,
        search_text,
        search_words
    from searchable_phrases
    -- punctuation alone would be found everywhere
    where search_text != ''
)

select * from final
