{#-
    What dbt-spark does otherwise than this project needs. Each overrides a macro of dbt by its name.
-#}

{#-
    The tables of a schema. Spark calls an Iceberg table in its session catalog one of the provider `hive`; dbt, taking it for none
    that can be replaced in one step, would drop it first. A catalog of Iceberg's own lists tables and views, and tells no more.
-#}
{% macro spark__list_relations_without_caching(relation) %}
    {%- if not in_session_catalog() -%}
        {{ return(list_iceberg_relations(relation.schema)) }}
    {%- endif -%}
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

{% macro list_iceberg_relations(schema) %}
    {%- set found = [] -%}
    {%- for kind, information in [('tables', 'Provider: iceberg'), ('views', 'Type: VIEW')] -%}
        {%- call statement('list_' ~ kind, fetch_result=true) -%}
            show {{ kind }} in {{ schema }}
        {%- endcall -%}
        {%- for namespace, name, is_temporary in load_result('list_' ~ kind).table -%}
            {%- do found.append([namespace, name, is_temporary, information]) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(found) }}
{% endmacro %}

{#- Whether the target's catalog is Spark's own, in which Iceberg is a guest. -#}
{% macro in_session_catalog() %}
    {{ return(env_var('STICKINESS_SPARK_CATALOG', 'spark_catalog') == 'spark_catalog') }}
{% endmacro %}

{#-
    Views. Iceberg's extension takes charge of a view whose name it can read, and in Spark's own session catalog does so halfway: what
    is replaced goes on showing its first query, and what is dropped stays. It cannot read a name that is given as a text.
-#}
{% macro spark__create_view_as(relation, sql) %}
    create or replace view {{ view_name(relation) }} as
    {{ sql }}
{% endmacro %}

{% macro spark__drop_relation(relation) %}
    {%- call statement('drop_relation', auto_begin=false) -%}
        drop {{ relation.type }} if exists {{ view_name(relation) if relation.type == 'view' else relation }}
    {%- endcall -%}
{% endmacro %}

{% macro view_name(relation) -%}
    {{ "identifier('" ~ relation ~ "')" if relation.schema and in_session_catalog() else relation }}
{%- endmacro %}

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

{#- dbt's own `unit`, but for the fetch of what `create temporary view` gives back, which over Thrift is no result at all. -#}
{% materialization unit, adapter='spark' %}
    {%- set temp_relation = make_temp_relation(this.incorporate(type='view')) -%}
    {%- call statement('create_temp_view') -%}
        {{ create_temporary_view(temp_relation, get_empty_subquery_sql(sql)) }}
    {%- endcall -%}

    {%- set types = {} -%}
    {%- set quoted = {} -%}
    {%- for column in adapter.get_columns_in_relation(temp_relation) -%}
        {%- do types.update({column.name | lower: column.data_type}) -%}
        {%- do quoted.update({column.name | lower: column.quoted}) -%}
    {%- endfor -%}

    {%- set expected_rows = config.get('expected_rows') -%}
    {%- set compared = expected_rows[0].keys() if expected_rows else types.keys() -%}
    {%- set compared_quoted = [] -%}
    {%- for name in compared -%}
        {%- do compared_quoted.append(quoted[name | lower]) -%}
    {%- endfor -%}
    {%- set expected_sql = config.get('expected_sql') or get_expected_sql(expected_rows, types, quoted) -%}

    {%- call statement('main', fetch_result=true) -%}
        {{ get_unit_test_sql(sql, expected_sql, compared_quoted) }}
    {%- endcall -%}

    {%- do adapter.drop_relation(temp_relation) -%}
    {{ return({'relations': []}) }}
{% endmaterialization %}
