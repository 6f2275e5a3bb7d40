{#-
    The schema of a layer. In a database of its own, whose schema is dbt's `main`, it carries the layer's name as it stands: `marts`.
    In a catalog shared with others it begins with the target's schema: `stickiness_build_marts`. The sources say the same in YAML.
-#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- if custom_schema_name is none -%} {{ target.schema }}
    {%- elif target.schema == 'main' -%} {{ custom_schema_name | trim }}
    {%- else -%} {{ target.schema }}_{{ custom_schema_name | trim }}
    {%- endif -%}
{%- endmacro %}
