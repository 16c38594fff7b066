//! The normal form: one text for all texts of one meaning.

use taskvisor_parse::cron::Pattern;

#[test]
fn texts_of_one_meaning_have_one_normal_form() {
    for (texts, normal) in [
        (&["* * * * *", "*/1 * * * *", " *  *\t* * *\n", "*,5 * * * *"][..], "* * * * *"),
        (&["0-59 * * * *", "0,* * * * *", "0-59/1 * * * *", "0-29,30-59 * * * *"], "0-59 * * * *"),
        (&["05 02 * * *", "5,5 2 * * *", "5-5 2-2 * * *"], "5 2 * * *"),
        (&["0,15,30,45 * * * *", "0-45/15 * * * *"], "0,15,30,45 * * * *"),
        (&["0,10,20,30,40,50 * * * *", "0-59/10 * * * *"], "0-50/10 * * * *"),
        (&["*/15 * * * *", "*/15,30 * * * *"], "*/15 * * * *"),
        (&["*/15,7 * * * *"], "*/15,7 * * * *"),
        (&["*/2,*/3 * * * *", "*/2,3-57/6 * * * *"], "*/2,3-57/6 * * * *"),
        (&["*/60 * * * *"], "*/60 * * * *"),
        (&["1,2 3-5,7 * * *", "2,1 7,5,4,3 * * *"], "1,2 3-5,7 * * *"),
        (&["0 0 l * *", "0 0 L,L * *"], "0 0 L * *"),
        (&["0 0 L,1,2,3 * *"], "0 0 1-3,L * *"),
        (&["0 0 * 1,2,3,12 *", "0 0 * JAN-Mar,dec *"], "0 0 * jan-mar,dec *"),
        (&["0 0 * * 1-5", "0 0 * * MON-FRI", "0 0 * * mon,tue,wed,thu,fri"], "0 0 * * mon-fri"),
        (&["0 0 * * 0", "0 0 * * 7", "0 0 * * sun", "0 0 * * 7-sun", "0 0 * * sun-sun", "0 0 * * 0,7"], "0 0 * * sun"),
        (&["0 0 * * 6,0", "0 0 * * 6-7", "0 0 * * sat-sun"], "0 0 * * sat,sun"),
        (&["0 0 * * 5,6,7", "0 0 * * fri-sun", "0 0 * * 5-sun"], "0 0 * * fri-sun"),
        (&["0 0 * * 0-6", "0 0 * * 0-7", "0 0 * * 1-7", "0 0 * * mon-sun"], "0 0 * * mon-sun"),
        (&["0 0 * * 1-7/2", "0 0 * * 1,3,5,0"], "0 0 * * mon,wed,fri,sun"),
        (&["0 0 * * */2"], "0 0 * * */2"),
        (&["0 0 * * mon#2", "0 0 * * 1#2,MON#2"], "0 0 * * mon#2"),
        (&["0 0 * * fri#L", "0 0 * * friL", "0 0 * * 5l", "0 0 * * FRI#l"], "0 0 * * fri#L"),
        (&["0 0 * * friL,sun#1,mon,mon#3,fri#2"], "0 0 * * mon,sun#1,fri#2,fri#L"),
        (&["@yearly", "@annually", "0 0 1 jan *"], "0 0 1 jan *"),
        (&["@monthly"], "0 0 1 * *"),
        (&["@weekly"], "0 0 * * sun"),
        (&["@daily", "@midnight", " @daily "], "0 0 * * *"),
        (&["@hourly"], "0 * * * *"),
    ] {
        let expected = Pattern::parse(normal).expect(normal);
        assert_eq!(expected.to_string(), normal);
        for text in texts {
            assert_eq!(Pattern::parse(text).as_ref(), Ok(&expected), "{text}");
        }
    }
}

#[test]
fn a_star_at_the_begin_is_a_meaning_of_its_own() {
    for [star, values] in [
        ["* 0 * * *", "0-59 0 * * *"],
        ["*/15 0 * * *", "0,15,30,45 0 * * *"],
        ["0 0 1 * *", "0 0 1 * 0-6"],
        ["0 0 * * mon", "0 0 1-31 * mon"],
    ] {
        assert_ne!(Pattern::parse(star), Pattern::parse(values), "{star} and {values}");
    }
}

#[test]
fn a_fixed_time_has_no_star_in_minute_and_hour() {
    for (text, is_fixed) in [
        ("0 0 * * *", true),
        ("0-59 0-23 * * *", true),
        ("0,* 5,*/2 * * *", true),
        ("@daily", true),
        ("@hourly", false),
        ("*/60 0 * * *", false),
        ("0 */24 * * *", false),
        ("*,5 0 * * *", false),
    ] {
        assert_eq!(Pattern::parse(text).expect(text).is_fixed(), is_fixed, "{text}");
    }
}
