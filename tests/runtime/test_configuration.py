"""Values that every serve command takes."""

import pytest

from runtime.address import TcpAddress
from runtime.configuration import (
    ServeConfiguration,
    flag_from_text,
    seconds_from_text,
    text_from_text,
    word_reader,
    workers_from_text,
)
from runtime.errors import ConfigurationError
from runtime.service_log import LogFormat
from runtime.settings import configured


def test_only_the_policy_is_required() -> None:
    configuration = configured(ServeConfiguration, {"policy": "policy.yaml"}, {}).value
    assert configuration == ServeConfiguration(policy="policy.yaml")
    assert (configuration.workers, configuration.decision_log, configuration.observe) == (1, "-", False)


def test_every_setting_has_a_variable() -> None:
    environment = {
        "PEERGATE_POLICY": "/etc/peergate",
        "PEERGATE_OPS": "0.0.0.0:9090",
        "PEERGATE_WORKERS": "2",
        "PEERGATE_DECISION_LOG": "off",
        "PEERGATE_OBSERVE": "true",
        "PEERGATE_DRAIN_SECONDS": "1.5",
        "PEERGATE_LOG_FORMAT": "json",
        "PEERGATE_LOG_LEVEL": "debug",
    }
    configuration = configured(ServeConfiguration, {}, environment).value
    assert configuration.ops == TcpAddress("0.0.0.0", 9090)
    assert (configuration.observe, configuration.drain_seconds) == (True, 1.5)
    assert configuration.log_format is LogFormat.JSON


@pytest.mark.parametrize("text", ["", "True", "1", "yes", "on", " true"])
def test_a_flag_is_true_or_false_and_nothing_like_it(text: str) -> None:
    with pytest.raises(ConfigurationError):
        flag_from_text(text)


@pytest.mark.parametrize("text", ["", "0", "-1", "257", "1.5", "٣", "9" * 5000, "two"])
def test_workers_are_a_small_number(text: str) -> None:
    with pytest.raises(ConfigurationError):
        workers_from_text(text)


@pytest.mark.parametrize("text", ["", "-1", "nan", "inf", "1h", "3601", "1_0", " 1", "1e2", "\u0663"])
def test_seconds_are_bounded_and_finite(text: str) -> None:
    with pytest.raises(ConfigurationError):
        seconds_from_text(text)


@pytest.mark.parametrize("text", ["", "a\0b"])
def test_a_path_is_not_empty_and_holds_no_nul(text: str) -> None:
    with pytest.raises(ConfigurationError):
        text_from_text(text)


def test_a_word_of_a_closed_list_names_the_others() -> None:
    with pytest.raises(ConfigurationError, match="'xml' is none of logfmt, json"):
        word_reader(LogFormat)("xml")
