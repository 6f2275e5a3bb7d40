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

dimensions as (
    select * from {{ ref('dimensions') }}
),

-- from the seed, since a response of nobody known has no customer to take the names from
customer_dimension_names as (
    select dimension from dimensions
    where
        applies_to_customers
        and applies_to_surveys
        and dimension != 'all'
),

run_context as (
    select as_of_date from {{ ref('run_context') }}
),

current_segments as (
    select
        rfm_scores.customer_id,
        rfm_scores.rfm_segment
    from rfm_scores
    inner join run_context on rfm_scores.snapshot_on = run_context.as_of_date
),

responses_with_segments as (
    select
        responses.*,
        current_segments.rfm_segment
    from responses
    -- a customer has at most one segment on a day
    left join current_segments on responses.customer_id = current_segments.customer_id
),

-- the dimensions that surveys have beside those of customers, and from which column each comes
response_values as (
    {{ values_by_dimension('responses_with_segments', 'response_id', {
        'all': "'all'",
        'rfm_segment': 'rfm_segment',
        'survey_trigger': 'survey_trigger',
        'channel': 'channel',
    }) }}
),

final as (
    select
        response_values.response_id,
        response_values.dimension,
        response_values.dimension_value
    from response_values
    left join dimensions on response_values.dimension = dimensions.dimension
    -- a dimension that the seed does not list stays, so that the test of known dimensions names it
    where coalesce(dimensions.applies_to_surveys, true)
    union all
    select
        responses.response_id,
        customer_dimension_names.dimension,
        coalesce(customer_dimensions.dimension_value, 'unknown') as dimension_value
    from responses
    cross join customer_dimension_names
    -- a customer has one row per dimension: one per response and dimension remains
    left join customer_dimensions
        on responses.customer_id = customer_dimensions.customer_id
        and customer_dimension_names.dimension = customer_dimensions.dimension
)

select * from final
