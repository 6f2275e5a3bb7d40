with

purchase_days as (
    select * from {{ ref('int_purchase_days_numbered') }}
),

enrolments as (
    select * from {{ ref('int_programme_enrolments_listed') }}
),

match_bands as (
    select
        covariate,
        band_from,
        {{ match_band_below() }} as band_below
    from {{ ref('programme_match_bands') }}
),

settings as (
    select monetary_ratio from {{ ref('programme_matching_settings') }}
),

-- each purchase day by the enrolment. Whoever enrols later had not enrolled on it, as whoever never does
occasions as (
    select
        purchase_days.customer_id,
        enrolments.enrolled_on is not null
        and (purchase_days.next_purchase_on is null or purchase_days.next_purchase_on > enrolments.enrolled_on) as is_enrolment,
        purchase_days.purchase_on,
        purchase_days.next_purchase_on,
        enrolments.enrolled_on,
        {{ period_start('month', 'purchase_days.purchase_on') }} as month_start,
        purchase_days.purchase_number,
        {{ day_diff('purchase_days.first_purchase_on', 'purchase_days.purchase_on') }} as tenure_days,
        -- a first purchase comes in a band of its own, below that of a gap of one day
        coalesce(purchase_days.days_since_previous_purchase, 0) as gap_days,
        {{ money_per('purchase_days.net_revenue_to_date', 'purchase_days.purchase_number') }} as mean_net_revenue
    from purchase_days
    left join enrolments on purchase_days.customer_id = enrolments.customer_id
    where enrolments.enrolled_on is null or purchase_days.purchase_on <= enrolments.enrolled_on
),

banded_occasions as (
    select
        occasions.*,
        purchase_bands.band_from as purchase_band,
        tenure_bands.band_from as tenure_band,
        gap_bands.band_from as gap_band,
        -- bands of equal ratio, so that they fit any currency; the half keeps their borders off round amounts
        cast(floor(
            ln(cast(nullif(greatest(occasions.mean_net_revenue, 0), 0) as double))
            / ln(cast(settings.monetary_ratio as double)) + 0.5e0
        ) as integer) as monetary_band
    from occasions
    cross join settings
    -- bands are half-open and do not overlap, so each of these finds one
    inner join match_bands as purchase_bands on {{ in_match_band('purchase_bands', 'purchase_number', 'occasions.purchase_number') }}
    inner join match_bands as tenure_bands on {{ in_match_band('tenure_bands', 'tenure_days', 'occasions.tenure_days') }}
    inner join match_bands as gap_bands on {{ in_match_band('gap_bands', 'gap_days', 'occasions.gap_days') }}
),

alike_occasions as (
    select
        *,
        concat(
            cast(month_start as {{ dbt.type_string() }}),
            ' purchase ', cast(purchase_band as {{ dbt.type_string() }}),
            ' tenure ', cast(tenure_band as {{ dbt.type_string() }}),
            ' gap ', cast(gap_band as {{ dbt.type_string() }}),
            ' value ', coalesce(cast(monetary_band as {{ dbt.type_string() }}), 'none')
        ) as traits
    from banded_occasions
),

-- who buys often has several alike occasions. The first is compared with the first of others, the second with the second: nobody with
-- himself or herself, and no occasion has to be left out because its customer bought again and enrolled then, which is the future
counted_occasions as (
    select
        *,
        row_number() over (partition by customer_id, traits order by purchase_on asc nulls last) as occasion_of_cell
    from alike_occasions
),

final as (
    select
        customer_id,
        is_enrolment,
        purchase_on,
        next_purchase_on,
        enrolled_on,
        case when is_enrolment then {{ day_diff('purchase_on', 'enrolled_on') }} end as lag_days,
        purchase_number,
        tenure_days,
        gap_days,
        mean_net_revenue,
        concat(traits, ' occasion ', cast(occasion_of_cell as {{ dbt.type_string() }})) as match_cell
    from counted_occasions
)

select * from final
