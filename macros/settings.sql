{#-
    The settings of a company. Each is one entry of `vars: settings:` in dbt_project.yml; models find it as a column of run_context,
    base models as one of stg_run_parameters. What --vars sets comes before what the company.yml sets, and that before the default.
    The values of the company.yml are those of the last refresh, which has landed the rows that go with them.
-#}

{#-
    The value of a setting, typed: an aggregate over the rows of company_settings (setting_name, setting_value). A default that names
    another setting is what holds for that one.
-#}
{% macro setting(name) -%}
    {%- set entry = setting_entry(name) -%}
    {%- set asked = var(name, none) -%}
    {%- if asked is not none -%}
        {%- set value = setting_text(asked) -%}
    {%- else -%}
        {%- set own = "max(case when company_settings.setting_name = '" ~ name ~ "' then company_settings.setting_value end)" -%}
        {%- set default = setting(entry.default) if entry.default in var('settings') else setting_text(entry.default) -%}
        {%- set value = 'coalesce(' ~ own ~ ', ' ~ default ~ ')' -%}
    {%- endif -%}
    cast({{ value }} as {{ setting_type(entry.kind) }})
{%- endmacro %}

{#- How a kind of setting is stored: the SQL type of its column. -#}
{% macro setting_type(kind) -%}
    {%- set types = {
        'text': dbt.type_string(),
        'time_zone': dbt.type_string(),
        'choice': dbt.type_string(),
        'boolean': 'boolean',
        'count': 'integer',
        'share': 'decimal(9, 6)',
        'amount': 'decimal(18, 4)',
        'unit_amount': 'decimal(18, 6)',
        'number': 'double',
    } -%}
    {%- if kind not in types -%}
        {%- do exceptions.raise_compiler_error('There is no kind of setting "' ~ kind ~ '"; there are ' ~ types | join(', ') ~ '.') -%}
    {%- endif -%}
    {{ return(types[kind]) }}
{%- endmacro %}

{#- A value as a literal of text, which a cast around it reads exactly. -#}
{% macro setting_text(value) -%}
    {{ return(dbt.string_literal(dbt.escape_single_quotes(value | string))) }}
{%- endmacro %}

{% macro setting_entry(name) -%}
    {%- set settings = var('settings') -%}
    {%- if name not in settings -%}
        {%- do exceptions.raise_compiler_error(
            'There is no setting "' ~ name ~ '". dbt_project.yml has ' ~ settings | join(', ') ~ '.'
        ) -%}
    {%- endif -%}
    {{ return(settings[name]) }}
{%- endmacro %}

{#-
    Refuses --vars that name no setting, or set one to what it may not be. stg_run_parameters asks for this while it is parsed, which
    it is by every command with other --vars than the last, whatever that command selects. The same rules, in the same words, as
    orchestration/company_settings.py has for a company.yml.
-#}
{% macro check_vars() -%}
    {%- for name, value in invocation_args_dict.vars.items() -%}
        {%- if name not in var('settings') -%}
            {%- do exceptions.raise_compiler_error(
                '--vars sets "' ~ name ~ '", which the project does not have. It may set ' ~ var('settings') | sort | join(', ') ~ '.'
            ) -%}
        {%- endif -%}
        {%- set entry = setting_entry(name) -%}
        {%- if not is_setting_value(entry, value) -%}
            {%- set shown = '"' ~ value ~ '"' if value is string else value -%}
            {%- do exceptions.raise_compiler_error(
                '--vars sets ' ~ name ~ ' to ' ~ shown ~ '; expected ' ~ expected_setting(entry) ~ '.'
            ) -%}
        {%- endif -%}
    {%- endfor -%}
{%- endmacro %}

{% macro is_setting_value(entry, value) -%}
    {%- if entry.kind in ('text', 'time_zone', 'choice') -%}
        {{ return(
            value is string and value.strip() != ''
            and (entry.kind != 'time_zone' or value in modules.pytz.all_timezones)
            and (entry.kind != 'choice' or value in entry.choices)
            and (entry.kind != 'text' or (value | length <= 200 and not modules.re.search(unshowable_characters(), value)))
        ) }}
    {%- endif -%}
    {%- if entry.kind == 'boolean' -%}
        {{ return(value is boolean) }}
    {%- endif -%}
    {{ return(
        (value is integer or (value is float and entry.kind != 'count'))
        and entry.minimum <= value and value <= entry.maximum
    ) }}
{%- endmacro %}

{#- Controls and marks of direction, which no report can show on one line. -#}
{% macro unshowable_characters() -%}
    {{ return('[\\x00-\\x1f\\x7f-\\x9f\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069\\ud800-\\udfff]') }}
{%- endmacro %}

{% macro expected_setting(entry) -%}
    {%- set bounds = 'from ' ~ entry.minimum ~ ' to ' ~ entry.maximum -%}
    {{ return({
        'text': 'text of at most 200 characters (in quotes if it looks like a number or a date)',
        'time_zone': 'the IANA name of a time zone, such as Asia/Shanghai or Europe/Berlin',
        'choice': entry.choices | default([]) | join(' or '),
        'boolean': 'true or false',
        'count': 'a whole number ' ~ bounds,
        'share': 'a share ' ~ bounds ~ ', such as 0.3',
    }.get(entry.kind, 'a number ' ~ bounds ~ ', without quotes or separators')) }}
{%- endmacro %}

{#-
    At the start of a command: one line on whose settings the models are built with. It refuses --vars that the models it builds would
    not see, since the settings stand in two models of their own.
-#}
{% macro tell_settings() -%}
    {%- set asked = invocation_args_dict.vars -%}
    {%- set models = [] -%}
    {%- for resource in selected_resources if resource.startswith('model.') -%}
        {%- do models.append(resource.split('.')[2]) -%}
    {%- endfor -%}
    {%- set missed = ['stg_run_parameters', 'run_context'] | reject('in', models) | list -%}
    {%- if asked and models and missed -%}
        {%- do exceptions.raise_compiler_error(
            '--vars sets ' ~ asked | join(', ') ~ ', which models read from run_context. Build that as well: add '
            ~ missed | join(' ') ~ ' to --select.'
        ) -%}
    {%- endif -%}
    {%- set company_settings = load_relation(source('operations', 'company_settings')) -%}
    {%- if execute and company_settings is not none -%}
        {%- set run = run_query('select company_key, started_at from ' ~ source('operations', 'run_parameters')).rows[0] -%}
        {%- set rows = run_query('select setting_name from ' ~ company_settings ~ ' order by setting_name').rows -%}
        {%- set own = rows | map(attribute=0) | reject('in', asked) | join(', ') -%}
        {%- do log(
            'Settings of ' ~ run[0].rpartition(' ')[0] ~ ', recorded ' ~ (run[1] | string)[:16] ~ ' UTC: '
            ~ (asked | join(', ') ~ ' from --vars, ' if asked else '')
            ~ (own ~ ' from its company.yml of then, ' if own else '')
            ~ ('all others' if asked or own else 'all') ~ ' by default', info=true
        ) -%}
    {%- endif -%}
{%- endmacro %}
