-- How far a minute's numbers may be from the truth: one standard deviation each, as the device told it; none where it told
-- none.
ALTER TABLE count_minute ADD COLUMN in_sd REAL;
ALTER TABLE count_minute ADD COLUMN out_sd REAL;
