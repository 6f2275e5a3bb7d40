with

run_parameters as (
    select * from {{ source('operations', 'run_parameters') }}
),

final as (
    select
        run_id,
        started_at,
        requested_as_of_date,
        yesterday,
        company_key,
        company_name,
        reporting_currency,
        business_timezone,
        cast(default_margin_rate as decimal(9, 6)) as default_margin_rate,
        cast(high_value_annual_amount as decimal(18, 4)) as high_value_annual_amount,
        cast(cadence_prior_intervals as double) as cadence_prior_intervals,
        cast(active_days as integer) as active_days,
        cast(new_customer_days as integer) as new_customer_days,
        cast(reactivated_customer_days as integer) as reactivated_customer_days,
        cast(lapsed_days as integer) as lapsed_days,
        cast(loyal_purchase_days as integer) as loyal_purchase_days,
        cast(survey_followup_days as integer) as survey_followup_days,
        cast(ticket_followup_days as integer) as ticket_followup_days,
        cast(point_value as decimal(18, 6)) as point_value,
        cast(points_usage_target as decimal(9, 6)) as points_usage_target,
        btyd_model,
        cast(annual_discount_rate as double) as annual_discount_rate
    from run_parameters
)

select * from final
