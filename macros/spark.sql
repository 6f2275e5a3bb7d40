{#-
    What dbt-spark does otherwise than this project needs. Each overrides a macro of dbt by its name.
-#}

{#-
    The tables of a schema. Spark calls an Iceberg table in its session catalog one of the provider `hive`; dbt, taking it for none
    that can be replaced in one step, would drop it first.
-#}
{% macro spark__list_relations_without_caching(relation) %}
    {%- call statement('list_relations_without_caching', fetch_result=true) -%}
        show table extended in {{ relation.schema }} like '*'
    {%- endcall -%}
    {%- set found = [] -%}
    {%- for schema, name, is_temporary, information in load_result('list_relations_without_caching').table -%}
        {%- if 'table_type=ICEBERG' in information -%}
            {%- set information = information | replace('Provider: hive', 'Provider: iceberg') -%}
        {%- endif -%}
        {%- do found.append([schema, name, is_temporary, information]) -%}
    {%- endfor -%}
    {{ return(found) }}
{% endmacro %}

{#- The columns of a contract, of exactly its types. Iceberg tables made from a query have no `not null`, so the query itself stops. -#}
{% macro spark__get_select_subquery(sql) %}
    select
        {%- for name, column in model['columns'].items() %}
        {%- set must_be_filled = column.get('constraints', []) | selectattr('type', 'equalto', 'not_null') | list %}
        {%- set missing = "raise_error('" ~ model['name'] ~ "." ~ name ~ " is null, which its contract does not allow')" %}
        {%- set value = "coalesce(" ~ name ~ ", " ~ missing ~ ")" if must_be_filled else name %}
        cast({{ value }} as {{ column['data_type'] }}) as {{ name }}{{ ',' if not loop.last }}
        {%- endfor %}
    from (
        {{ sql }}
    ) as model_subquery
{% endmacro %}
