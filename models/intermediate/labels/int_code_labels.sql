{#- where labels stand beside what they are labels of: type of the code, relation, its column of codes -#}
{% set seeds = [
    ('age_band', ref('age_bands'), 'age_band'),
    ('ambassador_level', ref('ambassador_levels'), 'ambassador_level'),
    ('cadence_status', ref('cadence_bands'), 'cadence_status'),
    ('channel', ref('contact_channels'), 'channel'),
    ('churn_reason', ref('churn_reasons'), 'reason_code'),
    ('dimension', ref('dimensions'), 'dimension'),
    ('feedback_topic', ref('feedback_topic_labels'), 'topic'),
    ('hour_of_day', ref('hours_of_day'), 'hour_of_day'),
    ('kpi', ref('kpis'), 'kpi'),
    ('lifecycle_stage', ref('lifecycle_stages'), 'lifecycle_stage'),
    ('loyalty_tier', ref('loyalty_tiers'), 'tier'),
    ('metric', ref('programme_metrics'), 'metric'),
    ('priority', ref('service_targets'), 'priority'),
    ('response_group', ref('survey_response_groups'), 'response_group'),
    ('retention_action', ref('retention_actions'), 'action'),
    ('rfm_segment', ref('rfm_segment_labels'), 'rfm_segment'),
    ('risk_band', ref('churn_risk_bands'), 'risk_band'),
    ('trait', ref('programme_traits'), 'trait'),
    ('unreliable_reason', ref('int_unreliability_reasons_worded'), 'reason_code'),
    ('weekday', ref('weekdays'), 'iso_weekday'),
] %}

with

labels as (
    select
        code_type,
        code,
        label_en,
        label_zh
    from {{ ref('code_labels') }}
    {% for code_type, seed, column in seeds -%}
    union all
    select
        '{{ code_type }}' as code_type,
        cast({{ column }} as {{ dbt.type_string() }}) as code,
        label_en,
        label_zh
    from {{ seed }}
    {% endfor %}
),

dimensions as (
    select dimension, codes from {{ ref('dimensions') }}
),

-- a seed may name a code on several rows, as two surveys both have a neutral group
named_codes as (
    select
        code_type,
        code,
        label_en,
        label_zh
    from labels
    where code_type != 'any'
    group by code_type, code, label_en, label_zh
),

-- the values of a dimension are codes of the type that it names, and are looked for by the dimension
dimension_codes as (
    select
        dimensions.dimension as code_type,
        named_codes.code,
        named_codes.label_en,
        named_codes.label_zh
    from dimensions
    inner join named_codes on dimensions.codes = named_codes.code_type
    where dimensions.dimension != dimensions.codes
),

own_codes as (
    select * from named_codes
    union all
    select * from dimension_codes
),

listed_types as (
    select code_type from named_codes
    union all
    select dimension as code_type from dimensions
),

code_types as (
    select code_type
    from listed_types
    group by code_type
),

-- what every type has, unless it has a label of its own for it
general_codes as (
    select
        code_types.code_type,
        labels.code,
        labels.label_en,
        labels.label_zh
    from labels
    cross join code_types
    left join own_codes
        on code_types.code_type = own_codes.code_type
        and labels.code = own_codes.code
    where labels.code_type = 'any' and own_codes.code is null
),

final as (
    select
        code_type,
        code,
        label_en,
        label_zh
    from own_codes
    union all
    select
        code_type,
        code,
        label_en,
        label_zh
    from general_codes
)

select * from final
