{#- The columns of `config.meta.primary_key` of the model behind a relation. dbt knows no models yet while it parses. -#}
{% macro declared_key(relation) %}
    {%- set keys = [] -%}
    {%- for node in graph.get('nodes', {}).values() if node.resource_type == 'model' -%}
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
