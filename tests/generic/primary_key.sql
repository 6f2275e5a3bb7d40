{#-
    Fails for every key that is null in part or stands on more than one row. The key of a mart stands in its YAML once, as
    `config.meta.primary_key`, where other tools find it; a model without that names its columns here.
-#}
{% test primary_key(model, columns=none) %}

{%- set key = columns or declared_key(model) %}
select
    {{ key | join(', ') }},
    count(*) as rows_of_key
from {{ model }}
group by {{ key | join(', ') }}
having count(*) > 1 {% for column in key %}or {{ column }} is null {% endfor %}

{% endtest %}

{#- The columns of `config.meta.primary_key` of the model behind a relation. dbt knows no models yet while it parses. -#}
{% macro declared_key(relation) %}
    {%- set keys = [] -%}
    {%- for node in graph.nodes.values() if execute and node.resource_type == 'model' -%}
        {%- if node.alias == relation.identifier and node.schema == relation.schema -%}
            {%- do keys.extend(node.config.meta.get('primary_key', [])) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if execute and not keys -%}
        {{ exceptions.raise_compiler_error(
            relation ~ ' has a test primary_key and no key. Add `meta: { primary_key: [<columns>] }` to the config of the model, or '
            ~ '`arguments: { columns: [<columns>] }` to the test.'
        ) }}
    {%- endif -%}
    {{ return(keys or ['key']) }}
{% endmacro %}
