{#-
    Phrases in text, whatever its width, case and punctuation. Arguments are SQL expressions of text; a null in gives a null out.

    Chinese writes no spaces between words, so a phrase with a Chinese character (or any other sign that is no letter of a spaced
    script, an emoji for one) is looked for anywhere. Every other phrase has to stand as whole words: `late` is not in `chocolate`.
-#}

{#- Lower case, full-width signs made narrow, and whatever is no letter, digit or symbol (punctuation, spaces) made one space. -#}
{% macro text_to_search(text) -%}
    {{ replace_matches(narrowed(text), '[^\\p{L}\\p{M}\\p{N}\\p{So}]+', ' ') }}
{%- endmacro %}

{#- Its words in spaced scripts, each between spaces of its own, so that two do not share one; a bar for anything else. -#}
{% macro words_to_search(text) -%}
    {%- set spaced = replace_matches(narrowed(text), '[^\\p{L}\\p{M}\\p{N}\\p{So}]+', '  ') -%}
    ' ' || trim({{ replace_matches(spaced, '[\\p{So}⺀-鿿豈-﫿]+', '  |  ') }}) || ' '
{%- endmacro %}

{#- How often `phrase` stands in `text` (bigint), each prepared by the same one of the two macros above. -#}
{% macro occurrences(text, phrase) -%}
    cast((length({{ text }}) - length(replace({{ text }}, {{ phrase }}, ''))) / length({{ phrase }}) as bigint)
{%- endmacro %}

{#- Lower case, full-width digits and Latin letters narrow; every other full-width sign is punctuation, which goes anyway. -#}
{% macro narrowed(text) -%}
    translate(
        lower({{ text }}),
        '０１２３４５６７８９ａｂｃｄｅｆｇｈｉｊｋｌｍｎｏｐｑｒｓｔｕｖｗｘｙｚ',
        '0123456789abcdefghijklmnopqrstuvwxyz'
    )
{%- endmacro %}

{#- Every match of a regular expression that both engines read, replaced by a text without back references. -#}
{% macro replace_matches(text, pattern, replacement) -%}
    {{ return(adapter.dispatch('replace_matches')(text, pattern, replacement)) }}
{%- endmacro %}

{% macro default__replace_matches(text, pattern, replacement) -%}
    regexp_replace({{ text }}, '{{ pattern }}', '{{ replacement }}', 'g')
{%- endmacro %}

{% macro spark__replace_matches(text, pattern, replacement) -%}
    {#- a backslash in a text of this engine stands for what follows it -#}
    regexp_replace({{ text }}, '{{ pattern | replace("\\", "\\\\") }}', '{{ replacement }}')
{%- endmacro %}
