{#-
    What the codes of a mart are called. A column of codes says in its YAML where its labels come from, and only there:

        config: { meta: { codes: rfm_segment } }              codes of this type of `int_code_labels`
        config: { meta: { codes: { column: dimension } } }    the type stands in another column of the row

    and has two further columns after it, its own name with `_en` and `_zh`. The last line of the model is
    `{{ select_with_labels('final') }}`, which fills in both; its other CTEs know nothing of labels.
-#}

{#- The columns of the model that hold codes, with where their labels come from: name -> code type, or { column: name }. -#}
{% macro coded_columns() %}
    {%- set codes = {} -%}
    {#- dbt shows a unit test no graph, so it sees no labels; one that is about labels overrides this macro -#}
    {%- set node = graph.get('nodes', {}).get(model.unique_id, {}) -%}
    {%- for column in node.get('columns', {}).values() if column.config.meta.get('codes') -%}
        {%- do codes.update({column.name: column.config.meta.codes}) -%}
    {%- endfor -%}
    {{ return(codes) }}
{% endmacro %}

{#-
    Everything in `relation`, with `<column>_en` and `<column>_zh` for each coded column. A code without a label is its own label; a null
    has none. Codes are unique in their type, so each row remains one.
-#}
{% macro select_with_labels(relation) -%}
{%- set codes = coded_columns() -%}
select
    {{ relation }}.*{{ ',' if codes }}
    {%- for column in codes %}
    {%- set code = 'cast(' ~ relation ~ '.' ~ column ~ ' as ' ~ dbt.type_string() ~ ')' %}
    coalesce({{ column }}_labels.label_en, {{ code }}) as {{ column }}_en,
    coalesce({{ column }}_labels.label_zh, {{ code }}) as {{ column }}_zh{{ ',' if not loop.last }}
    {%- endfor %}
from {{ relation }}
{#- dbt learns what a model reads while it parses, when it does not know the columns yet -#}
{%- if codes or not execute %}
{%- set labels = ref('int_code_labels') %}
{%- endif %}
{%- for column, code_type in codes.items() %}
left join {{ labels }} as {{ column }}_labels
    on {{ column }}_labels.code_type = {{ relation ~ '.' ~ code_type.column if code_type is mapping else "'" ~ code_type ~ "'" }}
    and {{ column }}_labels.code = cast({{ relation }}.{{ column }} as {{ dbt.type_string() }})
{%- endfor %}
{%- endmacro %}
