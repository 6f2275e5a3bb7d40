with

responses as (
    select * from {{ ref('int_survey_responses_resolved') }}
),

customer_dimensions as (
    select * from {{ ref('int_customer_dimensions_listed') }}
),

rfm_scores as (
    select * from {{ ref('int_rfm_scored') }}
),

run_context as (
    select as_of_date from {{ ref('run_context') }}
),

-- named here, since a company without customers has no rows to take the names from
dimensions as (
    {% for dimension in [
        'all', 'region', 'acquisition_channel', 'gender', 'age_band', 'income_band', 'loyalty_tier', 'rfm_segment',
        'survey_trigger', 'channel'
    ] -%}
    select '{{ dimension }}' as dimension
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

current_segments as (
    select
        rfm_scores.customer_id,
        rfm_scores.rfm_segment
    from rfm_scores
    inner join run_context on rfm_scores.snapshot_on = run_context.as_of_date
),

final as (
    select
        responses.response_id,
        dimensions.dimension,
        coalesce(
            case dimensions.dimension
                when 'all' then 'all'
                when 'rfm_segment' then current_segments.rfm_segment
                when 'survey_trigger' then responses.survey_trigger
                when 'channel' then responses.channel
                else customer_dimensions.dimension_value
            end,
            'unknown'
        ) as dimension_value
    from responses
    cross join dimensions
    -- each has one row per customer, or customer and dimension: one per response and dimension remains
    left join customer_dimensions
        on responses.customer_id = customer_dimensions.customer_id
        and dimensions.dimension = customer_dimensions.dimension
    left join current_segments on responses.customer_id = current_segments.customer_id
)

select * from final
