with scores as (
    select 1 as score
    union all
    select 2 as score
    union all
    select 3 as score
    union all
    select 4 as score
    union all
    select 5 as score
),

cells as (
    select r.score as r_score, f.score as f_score, m.score as m_score
    from scores as r
    cross join scores as f
    cross join scores as m
)

select cells.r_score, cells.f_score, cells.m_score, rfm_segments.rfm_segment
from cells
left join {{ ref('rfm_segments') }} as rfm_segments
    on cells.r_score = rfm_segments.r_score
    and cells.f_score = rfm_segments.f_score
    and cells.m_score = rfm_segments.m_score
left join {{ ref('rfm_segment_labels') }} as labels on rfm_segments.rfm_segment = labels.rfm_segment
where labels.rfm_segment is null
