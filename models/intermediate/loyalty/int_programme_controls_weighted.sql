with

pairs as (
    select * from {{ ref('int_programme_pair_outcomes') }}
    where not is_placebo
),

settings as (
    select weighted_horizon_days, hazard_prior_purchases from {{ ref('programme_matching_settings') }}
),

candidates as (
    select * from {{ ref('int_programme_candidates_listed') }}
),

occasions as (
    select * from {{ ref('int_programme_occasions_listed') }}
),

run_context as (
    select as_of_date from {{ ref('run_context') }}
),

-- the whole risk set, of whom some are paired; those of the placebo are all of it
controls as (
    select
        candidates.customer_id,
        candidates.purchase_on,
        {{ add_days('candidates.purchase_on', 'candidates.lag_days') }} as index_on,
        {{ add_days('candidates.purchase_on', 'candidates.lag_days + settings.weighted_horizon_days') }} as horizon_on
    from candidates
    cross join settings
    where candidates.is_placebo
),

-- the purchases at which a control might have enrolled: from the one that it is compared by to the end of the horizon, or to its enrolment
purchases_at_risk as (
    select
        controls.customer_id,
        controls.purchase_on,
        floor(greatest({{ day_diff('controls.index_on', 'occasions.purchase_on') }} + 6, 0) / 7e0) as week,
        -- cells by doubling, coarse enough to have been left and kept by many
        floor(ln(cast(occasions.purchase_number as double)) / ln(2e0)) as purchase_band,
        floor(ln(cast(greatest(occasions.mean_net_revenue, 0.0001) as double)) / ln(2e0)) as monetary_band,
        case when occasions.is_enrolment and occasions.enrolled_on <= controls.horizon_on then 1e0 else 0e0 end as enrolments
    from controls
    cross join run_context
    inner join occasions
        on controls.customer_id = occasions.customer_id
        and controls.purchase_on <= occasions.purchase_on
        and controls.horizon_on >= occasions.purchase_on
    where controls.horizon_on <= run_context.as_of_date
),

-- what the customer did says nothing of the chance that he or she had: a survivor's own purchases, none of which was an enrolment, would
-- make the hazard of a small cell too low, and most so that of frequent buyers. So it is that of the others (cross-fitting)
counted as (
    select
        *,
        count(*) over (partition by purchase_band, monetary_band, week)
        - count(*) over (partition by customer_id, purchase_band, monetary_band, week) as cell_purchases,
        sum(enrolments) over (partition by purchase_band, monetary_band, week)
        - sum(enrolments) over (partition by customer_id, purchase_band, monetary_band, week) as cell_enrolments,
        count(*) over (partition by purchase_band, monetary_band)
        - count(*) over (partition by customer_id, purchase_band, monetary_band) as band_purchases,
        sum(enrolments) over (partition by purchase_band, monetary_band)
        - sum(enrolments) over (partition by customer_id, purchase_band, monetary_band) as band_enrolments,
        avg(enrolments) over () as share
    from purchases_at_risk
),

-- a week of a cell has few purchases, so it borrows from all weeks of the cell, and the cell from all
hazards as (
    select
        counted.customer_id,
        counted.purchase_on,
        counted.enrolments,
        (
            counted.cell_enrolments
            + settings.hazard_prior_purchases
            * (counted.band_enrolments + settings.hazard_prior_purchases * counted.share)
            / (counted.band_purchases + settings.hazard_prior_purchases)
        ) / (counted.cell_purchases + settings.hazard_prior_purchases) as hazard
    from counted
    cross join settings
),

survivors as (
    select
        customer_id,
        purchase_on,
        -- of whoever enrols the hazard may be 1
        1e0 / exp({{ sum_in_order('ln(case when enrolments = 0e0 then 1e0 - hazard else 1e0 end)') }}) as untruncated_weight
    from hazards
    group by customer_id, purchase_on
    having sum(enrolments) = 0e0
),

paired_survivors as (
    select
        pairs.horizon_days,
        pairs.member_customer_id,
        survivors.untruncated_weight
    from pairs
    inner join settings on pairs.horizon_days = settings.weighted_horizon_days
    inner join survivors
        on pairs.control_customer_id = survivors.customer_id
        and survivors.purchase_on = {{ add_days('pairs.control_index_on', '-pairs.lag_days') }}
),

limits as (
    select percentile_cont(0.99) within group (order by untruncated_weight) as weight_limit from paired_survivors
),

final as (
    select
        paired_survivors.horizon_days,
        paired_survivors.member_customer_id,
        paired_survivors.untruncated_weight,
        least(paired_survivors.untruncated_weight, limits.weight_limit) as weight
    from paired_survivors
    cross join limits
)

select * from final
