select
    risks.customer_id,
    risks.churn_probability_90d,
    risks.risk_band,
    max(bands.from_probability) as band_begins_at
from {{ ref('customer_churn_risk') }} as risks
inner join {{ ref('churn_risk_bands') }} as bands on risks.churn_probability_90d >= bands.from_probability
left join {{ ref('churn_risk_bands') }} as given_band on risks.risk_band = given_band.risk_band
group by risks.customer_id, risks.churn_probability_90d, risks.risk_band
having max(given_band.from_probability) is distinct from max(bands.from_probability)
