select phrases.phrase
from {{ ref('feedback_phrases') }} as phrases
left join {{ ref('int_feedback_phrase_patterns') }} as prepared on phrases.phrase = prepared.phrase
where prepared.phrase is null
