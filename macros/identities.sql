{#-
    What is told about a person in two systems, written alike. Arguments are SQL expressions of text; null where the text names nobody.
-#}

{#- Whether `text` has a part that matches the regular expression. -#}
{% macro matches(text, pattern) -%}
    {{ return(adapter.dispatch('matches')(text, pattern)) }}
{%- endmacro %}

{% macro default__matches(text, pattern) -%}
    regexp_matches({{ text }}, '{{ pattern }}')
{%- endmacro %}

{% macro spark__matches(text, pattern) -%}
    {{ text }} rlike '{{ pattern }}'
{%- endmacro %}

{#- `text` with everything that matches the regular expression taken out. -#}
{% macro without_matches(text, pattern) -%}
    {{ return(adapter.dispatch('without_matches')(text, pattern)) }}
{%- endmacro %}

{% macro default__without_matches(text, pattern) -%}
    regexp_replace({{ text }}, '{{ pattern }}', '', 'g')
{%- endmacro %}

{% macro spark__without_matches(text, pattern) -%}
    regexp_replace({{ text }}, '{{ pattern }}', '')
{%- endmacro %}

{#-
    An e-mail address in lower case, without white space around it or its @; null where it is not one name and one domain around one @.
    White space anywhere else makes it no address: `ask bob@shop.cn` names nobody.
-#}
{% macro normalised_email(email) -%}
    {%- set spaced = "translate(" ~ email ~ ", '＠\t\n\r\u00a0\u3000', '@     ')" -%}
    {%- set plain = "lower(replace(replace(trim(" ~ spaced ~ "), ' @', '@'), '@ ', '@'))" -%}
    {%- set part = '[^@ .,;:<>()"]+' -%}
    case when {{ matches(plain, '^' ~ part ~ '([.]' ~ part ~ ')*@' ~ part ~ '([.]' ~ part ~ ')+$') }} then {{ plain }} end
{%- endmacro %}

{#-
    A phone number as digits: without signs and the international prefix `00`, and without China's country code before a mobile number.
    Null where anything but digits and the signs of a number is written (`call 555 1234`), where fewer than 7 or more than 15 digits are
    left, and where they are all the same.
-#}
{% macro normalised_phone(phone) -%}
    {%- set ascii = "trim(translate(" ~ phone ~ ", '０１２３４５６７８９＋－（）\u00a0\u3000', '0123456789+-()  '))" -%}
    {%- set digits = without_matches(without_matches(ascii, '[^0-9]+'), '^00') -%}
    case
        when not {{ matches(ascii, '^[(]?[+]?[0-9 ().-]+$') }} then null
        when replace({{ digits }}, substr({{ digits }}, 1, 1), '') = '' then null
        when {{ matches(digits, '^861[0-9]{10}$') }} then substr({{ digits }}, 3)
        when length({{ digits }}) between 7 and 15 then {{ digits }}
    end
{%- endmacro %}

{#-
    The answer of a chain of links (see int_identities_linked) after one more claim: its order is put among those before it, latest first.
    An answer that reaches no customer stays what it is; null where the claim is ambiguous and leads nowhere.
-#}
{% macro answer_after(answer, claim_order, is_ambiguous) -%}
    case
        when {{ is_ambiguous }} then null
        when substr({{ answer }}, 1, 1) = '0' then
            '0'
            || {{ with_claim_order("substr(" ~ answer ~ ", 2, instr(" ~ answer ~ ", ' ') - 2)", claim_order) }}
            || substr({{ answer }}, instr({{ answer }}, ' '))
        else {{ answer }}
    end
{%- endmacro %}

{#- Who an answer leads to. -#}
{% macro customer_of_answer(answer) -%}
    substr({{ answer }}, instr({{ answer }}, ' ') + 1)
{%- endmacro %}

{#- Orders of claims, joined by points, with one more: all of one width, the greatest first. -#}
{% macro with_claim_order(orders, claim_order) -%}
    {{ return(adapter.dispatch('with_claim_order')(orders, claim_order)) }}
{%- endmacro %}

{% macro default__with_claim_order(orders, claim_order) -%}
    array_to_string(list_reverse_sort(list_append(string_split({{ orders }}, '.'), {{ claim_order }})), '.')
{%- endmacro %}

{% macro spark__with_claim_order(orders, claim_order) -%}
    array_join(sort_array(array_append(split({{ orders }}, '[.]'), {{ claim_order }}), false), '.')
{%- endmacro %}
